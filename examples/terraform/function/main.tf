# A Lambda function with its role and its log. `mangum package -o build.zip` makes the package.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

variable "name" {
  type = string
}

variable "package" {
  type    = string
  default = "build.zip"
}

variable "environment" {
  type    = map(string)
  default = {}
}

variable "statements" {
  description = "What the function may do beside writing its log"
  type        = list(object({ actions = list(string), resources = list(string) }))
  default     = []
}

variable "timeout_s" {
  type    = number
  default = 29
}

variable "memory_mb" {
  type    = number
  default = 1024
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "may" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.log.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.statements
    content {
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role" "role" {
  name_prefix        = "${var.name}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "may" {
  role   = aws_iam_role.role.id
  policy = data.aws_iam_policy_document.may.json
}

resource "aws_cloudwatch_log_group" "log" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = 14
}

resource "aws_lambda_function" "function" {
  function_name    = var.name
  role             = aws_iam_role.role.arn
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  handler          = "main.handler"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  timeout          = var.timeout_s
  memory_size      = var.memory_mb

  environment {
    variables = var.environment
  }

  depends_on = [aws_cloudwatch_log_group.log, aws_iam_role_policy.may]
}

output "name" {
  value = aws_lambda_function.function.function_name
}

output "arn" {
  value = aws_lambda_function.function.arn
}

output "invoke_arn" {
  value = aws_lambda_function.function.invoke_arn
}
