mock_provider "helm" {}

variables {
  region       = "eu-central-1"
  cluster_name = "exchange-test"
  vpc_id       = "vpc-1"
}

run "pinned_waited_for_and_told_where_they_are" {
  assert {
    condition     = alltrue([for release in [helm_release.load_balancers, helm_release.secrets, helm_release.autoscaler, helm_release.metrics, helm_release.adapter] : release.wait && release.atomic && can(regex("^[0-9]+\\.", release.version))])
    error_message = "Each chart is pinned, waited for, and taken away if it does not come up."
  }

  assert {
    condition     = yamldecode(helm_release.load_balancers.values[0]).vpcId == "vpc-1" && yamldecode(helm_release.load_balancers.values[0]).region == "eu-central-1" && !yamldecode(helm_release.load_balancers.values[0]).enableServiceMutatorWebhook
    error_message = "The controller cannot ask its node, and stands between nobody and his Services."
  }

  assert {
    condition     = yamldecode(helm_release.metrics.values[0]).prometheus.prometheusSpec.serviceMonitorSelectorNilUsesHelmValues == false && yamldecode(helm_release.metrics.values[0]).prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues == false
    error_message = "Our monitors and rules carry no label of this release, and count."
  }

  assert {
    condition     = yamldecode(helm_release.autoscaler.values[0]).extraArgs["skip-nodes-with-local-storage"] == false
    error_message = "A folder in a pod keeps no node."
  }

  assert {
    condition     = yamldecode(helm_release.support.values[0]).namespaces == ["exchange"]
    error_message = "Secrets go into the exchange's namespace."
  }
}

run "managed_prometheus_by_switch" {
  variables {
    prometheus_endpoint = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/"
  }

  assert {
    condition     = yamldecode(helm_release.metrics.values[0]).prometheus.prometheusSpec.remoteWrite[0].url == "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
    error_message = "Written there too, signed."
  }
}

run "never_for_every_namespace" {
  command = plan

  variables {
    secrets_namespaces = []
  }

  expect_failures = [var.secrets_namespaces]
}

run "never_a_range_of_versions" {
  command = plan

  variables {
    versions = { secrets = "~> 1.0" }
  }

  expect_failures = [var.versions]
}
