config {
  call_module_type = "local"
}

plugin "terraform" {
  enabled = true
  preset  = "all"
}

plugin "aws" {
  enabled = true
}

# A module is divided by what it is about (routes.tf, alarms.tf), not by main.tf alone.
rule "terraform_standard_module_structure" {
  enabled = false
}
