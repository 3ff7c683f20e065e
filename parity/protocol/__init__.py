"""What crosses between the processes: the task, the recordings, the inputs."""
