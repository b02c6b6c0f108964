# The table in which Mangum remembers WebSocket connections.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "name" {
  type = string
}

resource "aws_dynamodb_table" "connections" {
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "connectionId"

  attribute {
    name = "connectionId"
    type = "S"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }
}

output "dsn" {
  value = "dynamodb://${aws_dynamodb_table.connections.name}"
}

output "use" {
  description = "The statement that lets a function use it"
  value = {
    actions = [
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
      "dynamodb:DeleteItem",
      "dynamodb:BatchGetItem",
    ]
    resources = [aws_dynamodb_table.connections.arn]
  }
}
