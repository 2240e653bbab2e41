# The archive, snapshots and access logs, under a key of ours, with their policies and lifecycles.
module "key" {
  source = "../modules/kms_key"

  name        = "rehearsal/buckets"
  description = "Rehearsal"
}

module "storage" {
  source = "../modules/storage"

  bucket_prefix = "rehearsal-111122223333"
  kms_key_arn   = module.key.arn
  force_destroy = true
}
