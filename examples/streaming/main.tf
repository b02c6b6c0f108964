module "function" {
  source = "../terraform/function"
  name   = "mangum-streaming"
}

module "http_api" {
  source   = "../terraform/http_api"
  name     = "mangum-streaming"
  function = module.function
}

output "url" {
  value = module.http_api.url
}
