provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "exchange"
      Environment = "production"
      ManagedBy   = "terraform"
    }
  }
}
