"""Apache Kafka: the cluster, its topics, the log of one partition."""
