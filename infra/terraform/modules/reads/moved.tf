# Where what was applied before stands now.
moved {
  from = aws_apigatewayv2_api.this
  to   = module.http_api.aws_apigatewayv2_api.this
}

moved {
  from = aws_apigatewayv2_authorizer.this
  to   = module.http_api.aws_apigatewayv2_authorizer.this
}

moved {
  from = aws_apigatewayv2_route.this
  to   = module.http_api.aws_apigatewayv2_route.this
}

moved {
  from = aws_apigatewayv2_stage.this
  to   = module.http_api.aws_apigatewayv2_stage.this
}

moved {
  from = aws_apigatewayv2_domain_name.this["nearest"]
  to   = module.public_name["nearest"].aws_apigatewayv2_domain_name.this
}

moved {
  from = aws_apigatewayv2_domain_name.this["region"]
  to   = module.public_name["region"].aws_apigatewayv2_domain_name.this
}

moved {
  from = aws_apigatewayv2_api_mapping.this["nearest"]
  to   = module.public_name["nearest"].aws_apigatewayv2_api_mapping.this
}

moved {
  from = aws_apigatewayv2_api_mapping.this["region"]
  to   = module.public_name["region"].aws_apigatewayv2_api_mapping.this
}

moved {
  from = aws_route53_record.nearest
  to   = module.public_name["nearest"].aws_route53_record.this
}

moved {
  from = aws_route53_record.region
  to   = module.public_name["region"].aws_route53_record.this
}
