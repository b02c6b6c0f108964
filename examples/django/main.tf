module "function" {
  source = "../terraform/function"
  name   = "mangum-board"

  environment = {
    BOARD_DSN          = module.connections.dsn
    BOARD_HOSTS        = ".execute-api.${data.aws_region.here.id}.amazonaws.com"
    BOARD_SOCKET_URL   = module.websocket_api.socket_url
    BOARD_ENDPOINT_URL = module.websocket_api.endpoint_url
  }

  statements = [
    module.connections.use,
    module.websocket_api.manage_connections,
  ]
}

module "http_api" {
  source   = "../terraform/http_api"
  name     = "mangum-board"
  function = module.function
}

module "websocket_api" {
  source   = "../terraform/websocket_api"
  name     = "mangum-board-sockets"
  function = module.function
}

module "connections" {
  source = "../terraform/connections"
  name   = "mangum-board-connections"
}

data "aws_region" "here" {}

output "url" {
  value = module.http_api.url
}
