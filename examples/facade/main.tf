module "function" {
  source = "../terraform/function"
  name   = "mangum-counter"

  environment = {
    COUNTER_TABLE        = aws_dynamodb_table.counter.name
    COUNTER_SOCKET_URL   = module.websocket_api.socket_url
    COUNTER_ENDPOINT_URL = module.websocket_api.endpoint_url
  }

  statements = [
    module.websocket_api.manage_connections,
    {
      actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      resources = [aws_dynamodb_table.counter.arn]
    },
  ]
}

module "http_api" {
  source   = "../terraform/http_api"
  name     = "mangum-counter"
  function = module.function
}

module "websocket_api" {
  source   = "../terraform/websocket_api"
  name     = "mangum-counter-sockets"
  function = module.function
}

resource "aws_dynamodb_table" "counter" {
  name         = "mangum-counter"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}

output "url" {
  value = module.http_api.url
}
