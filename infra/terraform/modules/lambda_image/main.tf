resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
}

module "role" {
  source = "../service_role"

  name        = var.name
  description = "The function ${var.name}"
  service     = "lambda.amazonaws.com"
  # Interfaces in the VPC are made and removed by the function's own role.
  managed_policies = var.vpc == null ? {} : { vpc = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole" }
  statements = concat(var.statements, [
    {
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
    },
    # Traces have no resource to name.
    { Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
  ])
}

resource "aws_lambda_function" "this" {
  function_name                  = var.name
  description                    = var.description
  role                           = module.role.arn
  package_type                   = "Image"
  image_uri                      = var.image_uri
  architectures                  = ["arm64"]
  timeout                        = var.timeout_s
  memory_size                    = 512
  reserved_concurrent_executions = var.concurrency
  kms_key_arn                    = var.secrets_key_arn

  image_config {
    entry_point = ["python", "-m", "awslambdaric"]
    command     = [var.handler]
  }

  environment {
    variables = var.environment
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_cloudwatch_log_group.this]
}
