"""The shell: Kafka, Faust, processes, files, clocks, the command line, HTTP."""
