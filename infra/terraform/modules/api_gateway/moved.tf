# Where what was applied before stands now.
moved {
  from = aws_apigatewayv2_api.accounts
  to   = module.accounts.aws_apigatewayv2_api.this
}

moved {
  from = aws_apigatewayv2_authorizer.accounts
  to   = module.accounts.aws_apigatewayv2_authorizer.this
}

moved {
  from = aws_apigatewayv2_route.accounts
  to   = module.accounts.aws_apigatewayv2_route.this["ANY /v1/{proxy+}"]
}

moved {
  from = aws_apigatewayv2_stage.accounts
  to   = module.accounts.aws_apigatewayv2_stage.this
}

moved {
  from = aws_apigatewayv2_domain_name.this["accounts"]
  to   = module.public_name["accounts"].aws_apigatewayv2_domain_name.this
}

moved {
  from = aws_apigatewayv2_api_mapping.accounts
  to   = module.public_name["accounts"].aws_apigatewayv2_api_mapping.this
}

moved {
  from = aws_route53_record.this["accounts"]
  to   = module.public_name["accounts"].aws_route53_record.this
}

moved {
  from = aws_apigatewayv2_domain_name.this["market-data"]
  to   = module.public_name["market-data"].aws_apigatewayv2_domain_name.this
}

moved {
  from = aws_apigatewayv2_api_mapping.market_data
  to   = module.public_name["market-data"].aws_apigatewayv2_api_mapping.this
}

moved {
  from = aws_route53_record.this["market-data"]
  to   = module.public_name["market-data"].aws_route53_record.this
}
