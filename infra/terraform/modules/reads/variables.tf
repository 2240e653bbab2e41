variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "image_uri" {
  description = "The exchange's image by digest."
  type        = string
}

variable "api_host" {
  description = "Name of the exchange: reads.<name> and reads-<region>.<name> are made, which its certificate covers."
  type        = string
}

variable "web_host" {
  description = "Name of the terminal, whose pages may call."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate of this region for *.<api_host>."
  type        = string
}

variable "zone_id" {
  description = "The hosted zone."
  type        = string
}

variable "history" {
  description = "Tables of market history in this region: names and ARNs of candles and trades, and their key."
  type = object({
    tables     = map(string)
    table_arns = map(string)
    key_arn    = string
  })
}

variable "database" {
  description = "A reader of the database in this region, and the certificate (PEM, one) that its own is checked against; null for no statements."
  type = object({
    host       = string
    port       = number
    name       = string
    user_arn   = string
    vpc_id     = string
    vpc_cidr   = string
    subnet_ids = list(string)
    authority  = string
  })
  default = null

  validation {
    condition     = var.database == null ? true : length(regexall("-----BEGIN CERTIFICATE-----", var.database.authority)) == 1 && length(var.database.authority) < 2500
    error_message = "One certificate: all variables of a function together have 4 KB."
  }
}

variable "jwt_issuer" {
  description = "Whose tokens are believed: that of the region where people's accounts are linked."
  type        = string
}

variable "jwt_audience" {
  description = "Clients whose tokens are believed."
  type        = list(string)
}

variable "logs_key_arn" {
  description = "Key of the log groups."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the functions' environment."
  type        = string
}

variable "rate" {
  description = "Requests a second, in all."
  type        = number
  default     = 100
}

variable "health_path" {
  description = "A read that is answered with 200 while the region can read at all."
  type        = string
  default     = "/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=1"
}
