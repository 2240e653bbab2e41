# The load balancer is made by the Ingress, so whatever stands before it waits for its name: the second apply.
data "aws_lb" "ingress" {
  count = var.load_balancer_name == null ? 0 : 1

  name = var.load_balancer_name
}

data "aws_lb_listener" "ingress" {
  count = var.load_balancer_name == null ? 0 : 1

  load_balancer_arn = data.aws_lb.ingress[0].arn
  port              = 443
}

locals {
  # Whose addresses stand for many people: CloudFront's edges, and API Gateway's way into the VPC.
  counted_elsewhere = sort(distinct(concat([for each in data.aws_ec2_managed_prefix_list.cloudfront.entries : each.cidr], module.network.subnet_cidrs["intra"])))
  image_uri         = var.image_digest == null ? null : "${var.image_repository}@${var.image_digest}"
}

module "edge" {
  source = "../edge"

  name              = var.name
  zone              = var.zone
  host              = var.host
  validation_record = var.validation_record
  failover_role     = var.leads ? "PRIMARY" : "SECONDARY"
  request_limit     = var.size.request_limit
  counted_elsewhere = local.counted_elsewhere
  bot_control       = var.bot_control
  blocked_countries = var.blocked_countries
  shield_advanced   = var.shield_advanced
  logs_key_arn      = local.keys["logs"]
  load_balancer = var.load_balancer_name == null ? null : {
    arn      = data.aws_lb.ingress[0].arn
    dns_name = data.aws_lb.ingress[0].dns_name
    zone_id  = data.aws_lb.ingress[0].zone_id
  }
}

# From where CloudFront calls origins. It says itself who called it; a region without a distribution of its own is an
# origin of the one there is.
data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

module "frontend" {
  source = "../frontend"
  count  = var.frontend ? 1 : 0

  name          = var.name
  region        = local.region
  bucket_prefix = local.bucket_prefix
  host          = var.web_host
  api_host      = var.host
  zone_id       = module.edge.zone_id
  request_limit = var.size.request_limit
  bot_control   = var.bot_control
  force_destroy = !var.protected

  # Known once there are functions: until then the page needs no other place than its own.
  notices_origin = try(regex("^wss://[^/]+", module.messaging.websocket.url), null)
  log_bucket_arn = module.storage.access_logs.arn
}

# Reads that every region answers from its own copies: `reads.<host>` leads to the nearest. The region that stands by has
# the reader of the global database, and the leading region's tables as DynamoDB copies them.
module "reads" {
  source = "../reads"
  count  = local.image_uri == null ? 0 : 1

  name            = var.name
  image_uri       = local.image_uri
  api_host        = var.host
  web_host        = var.web_host
  certificate_arn = module.edge.certificate_arn
  zone_id         = module.edge.zone_id
  jwt_issuer      = local.statement_issuer
  jwt_audience    = local.audience
  logs_key_arn    = local.keys["logs"]
  secrets_key_arn = local.keys["secrets"]
  history = {
    tables     = local.history_tables
    table_arns = { for kind, table in local.history_tables : kind => "arn:aws:dynamodb:${local.region}:${local.account}:table/${table}" }
    key_arn    = local.keys["data"]
  }
  database = var.database_authority == null ? null : {
    host       = module.aurora.reader_host
    port       = module.aurora.port
    name       = "exchange"
    user_arn   = local.database_user["statements"]
    vpc_id     = module.network.vpc_id
    vpc_cidr   = module.network.cidr
    subnet_ids = module.network.intra_subnet_ids
    authority  = var.database_authority
  }
}

locals {
  # DynamoDB makes a copy under the original's name.
  history_tables = { for kind, table in module.market_history.tables : kind => var.history_replica_of == null ? table : "${var.history_replica_of}-${kind}" }
  # Identities are linked to the pool of the region that leads.
  statement_issuer = var.leads ? module.identity.issuer : try(var.other_issuers[0], module.identity.issuer)
}

module "api_gateway" {
  source = "../api_gateway"
  count  = var.api_gateway && var.load_balancer_name != null ? 1 : 0

  name     = var.name
  vpc_id   = module.network.vpc_id
  vpc_cidr = module.network.cidr
  # Not where pods are: who comes by this way is no part of the exchange, and is counted by his own address.
  subnet_ids        = module.network.intra_subnet_ids
  load_balancer_arn = data.aws_lb.ingress[0].arn
  listener_arn      = data.aws_lb_listener.ingress[0].arn
  api_host          = var.host
  certificate_arn   = module.edge.certificate_arn
  zone_id           = module.edge.zone_id
  web_host          = var.web_host
  jwt_issuer        = module.identity.issuer
  jwt_audience      = [module.identity.client_id]
  web_acl_arn       = module.edge.web_acl_arn
  logs_key_arn      = local.keys["logs"]
}
