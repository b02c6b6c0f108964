# A WebSocket API whose three routes go to one function.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

locals {
  stage = "prod"
}

variable "name" {
  type = string
}

variable "function" {
  type = object({ name = string, invoke_arn = string })
}

resource "aws_apigatewayv2_api" "api" {
  name                       = var.name
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}

resource "aws_apigatewayv2_integration" "function" {
  api_id           = aws_apigatewayv2_api.api.id
  integration_type = "AWS_PROXY"
  integration_uri  = var.function.invoke_arn
}

resource "aws_apigatewayv2_route" "route" {
  for_each  = toset(["$connect", "$disconnect", "$default"])
  api_id    = aws_apigatewayv2_api.api.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.function.id}"
}

resource "aws_apigatewayv2_deployment" "deployment" {
  api_id = aws_apigatewayv2_api.api.id

  triggers = {
    routes = sha1(jsonencode([
      aws_apigatewayv2_integration.function.id,
      [for route in aws_apigatewayv2_route.route : route.id],
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_apigatewayv2_stage" "stage" {
  api_id        = aws_apigatewayv2_api.api.id
  name          = local.stage
  deployment_id = aws_apigatewayv2_deployment.deployment.id
}

resource "aws_lambda_permission" "api" {
  action        = "lambda:InvokeFunction"
  function_name = var.function.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.api.execution_arn}/*"
}

# These tell of the API alone, not of its stage, so that the function can know them.

output "socket_url" {
  value = "${aws_apigatewayv2_api.api.api_endpoint}/${local.stage}"
}

output "endpoint_url" {
  description = "Of @connections"
  value       = "${replace(aws_apigatewayv2_api.api.api_endpoint, "wss:", "https:")}/${local.stage}"
}

output "manage_connections" {
  description = "The statement that lets a function write to the clients"
  value = {
    actions   = ["execute-api:ManageConnections"]
    resources = ["${aws_apigatewayv2_api.api.execution_arn}/${local.stage}/*/@connections/*"]
  }
}
