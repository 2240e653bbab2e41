output "charts" {
  description = "What is installed: chart and version, by namespace and release."
  value       = module.platform.charts
}
