mock_provider "helm" {}

variables {
  state = { bucket = "state", region = "eu-central-1" }
}

override_data {
  target = data.terraform_remote_state.region
  values = {
    outputs = {
      platform = {
        region                = "eu-central-1"
        cluster_name          = "exchange-test"
        vpc_id                = "vpc-1"
        secrets_namespaces    = ["exchange"]
        prometheus_endpoint   = null
        endpoint              = "https://example.eks.amazonaws.com"
        certificate_authority = "MA=="
      }
    }
  }
}

run "everything_that_the_chart_asks_for" {
  assert {
    condition     = length(output.charts) == 5
    error_message = "Load balancers, secrets, nodes, metrics, the adapter."
  }
}
