module "function" {
  source = "../terraform/function"
  name   = "mangum-gallery"
}

module "http_api" {
  source   = "../terraform/http_api"
  name     = "mangum-gallery"
  function = module.function
}

output "url" {
  value = module.http_api.url
}
