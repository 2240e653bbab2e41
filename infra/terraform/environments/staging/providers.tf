provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "exchange"
      Environment = "staging"
      ManagedBy   = "terraform"
    }
  }
}
