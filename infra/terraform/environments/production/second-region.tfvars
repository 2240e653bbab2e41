# The region that stands by: `terraform init -backend-config=backend.hcl -backend-config=key=production-eu-west-1.tfstate`.
region       = "eu-west-1"
name         = "exchange-production-b"
leads        = false
frontend     = false
multi_region = true
# Its functions read the tables of candles and trades as DynamoDB copies them: history_replicas of the leading region.
history_replica_of = "exchange-production"
cidr               = "10.21.0.0/16"
