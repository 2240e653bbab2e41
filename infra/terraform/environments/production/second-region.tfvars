# The region that stands by: `terraform init -backend-config=backend.hcl -backend-config=key=production-eu-west-1.tfstate`.
region        = "eu-west-1"
leads         = false
cidr          = "10.21.0.0/16"
second_region = "eu-central-1"
