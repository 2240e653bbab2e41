"""The ports on AWS: S3, SQS, SNS, DynamoDB, Kinesis, KMS, API Gateway, by boto3."""
