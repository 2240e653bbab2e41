# What the chart needs to know of AWS, under the chart's own keys: `terraform output -raw helm_values > values-aws.yaml`.
output "helm_values" {
  description = "Values for the Helm chart, as YAML. No secret is in it: names of secrets only."
  value       = yamlencode(local.helm_values)
}

locals {
  helm_values = {
    global = {
      environment = var.name
      region      = local.region
      namespace   = "exchange"
      webHost     = var.web_host
      image       = { repository = var.image_repository, digest = var.image_digest }
      kafka = {
        bootstrap        = module.msk.bootstrap_iam
        securityProtocol = "SASL_SSL"
        # The role of each service account: what it may do is in permissions.tf.
        saslMechanism = "AWS_MSK_IAM"
        replicas      = 3
      }
      database = {
        writerHost = module.aurora.writer_host
        readerHost = module.aurora.reader_host
        port       = module.aurora.port
        name       = "exchange"
        sslMode    = "verify-full"
        # RDS's own authorities, put there by hand once (docs/deploy.md).
        caConfigMap = "database-ca"
        secretName  = var.global_database == null ? module.aurora.secret_arn : var.database_secret_arn
        # Each service account is a user of its own, by its role; the owner's login is the jobs' alone.
        auth = "iam"
      }
      redis = {
        url        = module.redis.url
        cluster    = true
        secretName = module.security.secret_names["redis"]
      }
      objectStore = {
        region    = local.region
        archive   = module.storage.archive.name
        snapshots = module.storage.snapshots.name
      }
      kmsKeyId = module.security.key_arns["application"]
      # Pods that ask for others: the order service fetches market data for the WebSocket API. Pods stand in the private
      # subnets, and nobody else does.
      requestLimits = { exemptCidrs = module.network.subnet_cidrs["private"] }
      marketHistory = {
        candlesTable = module.market_history.tables["candles"]
        tradesTable  = module.market_history.tables["trades"]
      }
      lake = { streamName = one(module.lake[*].stream.name) }
      notices = {
        topicArn            = module.messaging.notices_topic_arn
        mailFrom            = one(module.mail[*].sender)
        queueUrl            = module.messaging.queues["notices"].url
        withdrawalsQueueUrl = module.messaging.queues["withdrawals"].url
        connectionsTable    = module.messaging.connections_table.name
        connectionsEndpoint = try(module.messaging.websocket.management_url, null)
      }
      identity = {
        issuers  = local.issuers
        audience = local.audience
      }
      telemetry = {
        metricsLogGroup    = module.observability.metrics_log_group
        prometheusEndpoint = module.observability.prometheus_endpoint
        logGroups          = module.observability.log_groups
      }
      # For charts that use IRSA; Pod Identity needs no annotation.
      serviceAccountRoles = module.eks.service_account_role_arns
    }
    engine = {
      nodeSelector = { "exchange/pool" = "engine" }
      tolerations  = [{ key = "exchange/pool", operator = "Equal", value = "engine", effect = "NoSchedule" }]
    }
    ingress = {
      host             = var.host
      otherHosts       = var.other_hosts
      className        = "alb"
      certificateArn   = module.edge.certificate_arn
      wafArn           = module.edge.web_acl_arn
      loadBalancerName = var.name
      accessLogsBucket = module.storage.access_logs.name
      subnets          = module.network.public_subnet_ids
      # Where the load balancer's own addresses come from: only it is believed about a client's address.
      proxyCidrs = module.network.subnet_cidrs["public"]
      # In front of it: else all who come by the terminal's distribution, or by API Gateway, would have the addresses of
      # its edges, or of its way into the VPC.
      forwarderCidrs = local.counted_elsewhere
    }
    # For network policies, which know no security groups.
    network = {
      dataCidrs       = module.network.subnet_cidrs["intra"]
      kubernetesCidrs = [module.network.cidr, "${module.eks.service_address}/32"]
    }
  }
}

output "values" {
  description = "The same as an object, for other configurations."
  value       = local.helm_values
}

output "cluster_name" {
  description = "For `aws eks update-kubeconfig`."
  value       = module.eks.cluster_name
}

output "platform" {
  description = "What environments/*/platform needs to know: the cluster, and what its controllers work with."
  value = {
    region                = local.region
    cluster_name          = module.eks.cluster_name
    endpoint              = module.eks.endpoint
    certificate_authority = module.eks.certificate_authority
    vpc_id                = module.network.vpc_id
    secrets_namespaces    = ["exchange"]
    prometheus_endpoint   = module.observability.prometheus_endpoint
  }
}

output "frontend" {
  description = "Bucket and distribution of the terminal; null where there is none."
  value       = var.frontend ? { bucket = module.frontend[0].bucket, distribution_id = module.frontend[0].distribution_id } : null
}

output "replica" {
  description = "What the leading region needs to copy its buckets here: storage_replica of the other side."
  value = {
    bucket_arns = { archive = module.storage.archive.arn, snapshots = module.storage.snapshots.arn }
    kms_key_arn = local.keys["data"]
  }
}

output "backup_vault" {
  description = "The vault of copies: copy_vault_arn of the other side; null without one."
  value       = one(module.backup[*].vault_arn)
}

output "application_key" {
  description = "The key of API secrets: application_key_replica_of of the other side."
  value       = local.keys["application"]
}

output "issuers" {
  description = "Issuers of this region's tokens: other_issuers of the other side."
  value       = values(module.identity.issuers)
}

output "audiences" {
  description = "Clients that this region's tokens are made for: other_audiences of the other side."
  value       = values(module.identity.client_ids)
}

output "service_account_role_arns" {
  description = "ARN of each service account's role."
  value       = module.eks.service_account_role_arns
}
