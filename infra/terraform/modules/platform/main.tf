# What must stand on a cluster before the exchange's chart: in this order, each waited for, each pinned. Their rights
# are roles of modules/eks, tied to these very service accounts by Pod Identity.

# Load balancers for Ingresses. Its webhook for Services is off: it would stand between everybody and every Service of
# the cluster, also while it has no pods. Its VPC is named: pods cannot ask the node (one hop, modules/eks).
resource "helm_release" "load_balancers" {
  name       = "aws-load-balancer-controller"
  namespace  = "kube-system"
  repository = "https://aws.github.io/eks-charts"
  chart      = "aws-load-balancer-controller"
  version    = var.versions.load_balancers
  wait       = true
  atomic     = true
  timeout    = var.timeout_s

  values = [yamlencode({
    clusterName                 = var.cluster_name
    region                      = var.region
    vpcId                       = var.vpc_id
    enableServiceMutatorWebhook = false
    replicaCount                = 2
    serviceAccount              = { name = "aws-load-balancer-controller" }
    nodeSelector                = local.base
    podDisruptionBudget         = { maxUnavailable = 1 }
  })]
}

# Copies secrets out of Secrets Manager.
resource "helm_release" "secrets" {
  name             = "external-secrets"
  namespace        = "external-secrets"
  create_namespace = true
  repository       = "https://charts.external-secrets.io"
  chart            = "external-secrets"
  version          = var.versions.secrets
  wait             = true
  atomic           = true
  timeout          = var.timeout_s

  values = [yamlencode({
    installCRDs    = true
    serviceAccount = { name = "external-secrets" }
    nodeSelector   = local.base
    webhook        = { nodeSelector = local.base }
    certController = { nodeSelector = local.base }
  })]

  depends_on = [helm_release.load_balancers]
}

# Nodes as many as pods ask for. A folder in a pod keeps no node: only what can be made again lies there.
resource "helm_release" "autoscaler" {
  name       = "cluster-autoscaler"
  namespace  = "kube-system"
  repository = "https://kubernetes.github.io/autoscaler"
  chart      = "cluster-autoscaler"
  version    = var.versions.autoscaler
  wait       = true
  atomic     = true
  timeout    = var.timeout_s

  values = [yamlencode({
    awsRegion     = var.region
    autoDiscovery = { clusterName = var.cluster_name }
    rbac          = { serviceAccount = { name = "cluster-autoscaler" } }
    nodeSelector  = local.base
    extraArgs = {
      skip-nodes-with-local-storage = false
      balance-similar-node-groups   = true
      expander                      = "priority"
    }
    # Spot where there is some, the base where there is not; the engine's pool only takes who tolerates it.
    expanderPriorities = { "50" = [".*stateless-.*"], "10" = [".*base-.*"], "5" = [".*engine-.*"] }
  })]

  depends_on = [helm_release.load_balancers]
}

# ServiceMonitor and PrometheusRule, and who reads them. Rules and monitors of every namespace count, without a label of
# this release. With Managed Prometheus what it reads is written there too, by the role of its service account.
resource "helm_release" "metrics" {
  name             = "metrics"
  namespace        = "monitoring"
  create_namespace = true
  repository       = "https://prometheus-community.github.io/helm-charts"
  chart            = "kube-prometheus-stack"
  version          = var.versions.metrics
  wait             = true
  atomic           = true
  timeout          = var.timeout_s

  values = [yamlencode({
    fullnameOverride = "metrics"
    # Dashboards: by the same file that compose uses (helm/README.md).
    grafana = { sidecar = { dashboards = { enabled = true, searchNamespace = "ALL" } } }
    # EKS runs these itself, and lets nobody ask them.
    kubeControllerManager = { enabled = false }
    kubeScheduler         = { enabled = false }
    kubeEtcd              = { enabled = false }
    prometheusOperator    = { nodeSelector = local.base }
    prometheus = {
      serviceAccount = { name = "metrics-prometheus" }
      prometheusSpec = merge(
        {
          serviceMonitorSelectorNilUsesHelmValues = false
          podMonitorSelectorNilUsesHelmValues     = false
          ruleSelectorNilUsesHelmValues           = false
          nodeSelector                            = local.base
          retention                               = "15d"
          storageSpec = { volumeClaimTemplate = { spec = {
            storageClassName = "gp3"
            accessModes      = ["ReadWriteOnce"]
            resources        = { requests = { storage = "50Gi" } }
          } } }
        },
        var.prometheus_endpoint == null ? {} : {
          remoteWrite = [{ url = "${var.prometheus_endpoint}api/v1/remote_write", sigv4 = { region = var.region } }]
        },
      )
    }
  })]

  depends_on = [helm_release.load_balancers, helm_release.support]
}

# The pods' own metrics for the autoscaling of pods (helm/prometheus-adapter-values.yaml, which the cluster tests use).
resource "helm_release" "adapter" {
  name       = "prometheus-adapter"
  namespace  = "monitoring"
  repository = "https://prometheus-community.github.io/helm-charts"
  chart      = "prometheus-adapter"
  version    = var.versions.adapter
  wait       = true
  atomic     = true
  timeout    = var.timeout_s

  values = [
    file("${path.module}/../../../../helm/prometheus-adapter-values.yaml"),
    yamlencode({
      prometheus   = { url = "http://metrics-prometheus.monitoring.svc", port = 9090 }
      nodeSelector = local.base
    }),
  ]

  depends_on = [helm_release.metrics]
}

# What the charts above and the exchange's own need of the cluster and bring no chart for: the exchange's namespace, the
# store of secrets for it alone, and disks under an encrypted class.
resource "helm_release" "support" {
  name      = "support"
  namespace = "kube-system"
  chart     = "${path.module}/chart"
  wait      = true
  atomic    = true
  timeout   = var.timeout_s

  values = [yamlencode({ region = var.region, namespaces = var.secrets_namespaces })]

  depends_on = [helm_release.secrets]
}

locals {
  # Machines that stay (modules/eks).
  base = { "exchange/pool" = "base" }
}
