module "function" {
  source = "../terraform/function"
  name   = "mangum-chat"

  environment = {
    CHAT_DSN          = module.connections.dsn
    CHAT_TABLE        = aws_dynamodb_table.rooms.name
    CHAT_SOCKET_URL   = module.websocket_api.socket_url
    CHAT_ENDPOINT_URL = module.websocket_api.endpoint_url
  }

  statements = [
    module.connections.use,
    module.websocket_api.manage_connections,
    {
      actions = [
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "dynamodb:Query",
      ]
      resources = [aws_dynamodb_table.rooms.arn]
    },
  ]
}

module "http_api" {
  source   = "../terraform/http_api"
  name     = "mangum-chat"
  function = module.function
}

module "websocket_api" {
  source   = "../terraform/websocket_api"
  name     = "mangum-chat-sockets"
  function = module.function
}

module "connections" {
  source = "../terraform/connections"
  name   = "mangum-chat-connections"
}

resource "aws_dynamodb_table" "rooms" {
  name         = "mangum-chat-rooms"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "room"
  range_key    = "item"

  attribute {
    name = "room"
    type = "S"
  }

  attribute {
    name = "item"
    type = "S"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }
}

output "url" {
  value = module.http_api.url
}
