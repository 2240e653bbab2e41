output "charts" {
  description = "What is installed: chart and version, by namespace and release."
  value = {
    for release in [
      helm_release.load_balancers, helm_release.secrets, helm_release.autoscaler, helm_release.metrics,
      helm_release.adapter,
    ] : "${release.namespace}/${release.name}" => "${release.chart} ${release.version}"
  }
}
