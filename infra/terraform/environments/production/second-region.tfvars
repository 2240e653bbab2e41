# The region that stands by: `terraform init -backend-config=backend.hcl -backend-config=key=production-eu-west-1.tfstate`.
region       = "eu-west-1"
name         = "exchange-production-b"
leads        = false
frontend     = false
multi_region = true
cidr         = "10.21.0.0/16"
