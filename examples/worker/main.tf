module "function" {
  source    = "../terraform/function"
  name      = "mangum-worker"
  timeout_s = 30

  statements = [
    {
      actions = [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
      ]
      resources = [aws_sqs_queue.orders.arn]
    },
  ]
}

resource "aws_sqs_queue" "orders" {
  name                       = "mangum-worker-orders"
  visibility_timeout_seconds = 180 # six times the function's

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.failed.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "failed" {
  name                      = "mangum-worker-failed"
  message_retention_seconds = 1209600
}

resource "aws_lambda_event_source_mapping" "orders" {
  function_name           = module.function.arn
  event_source_arn        = aws_sqs_queue.orders.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
}

resource "aws_cloudwatch_event_rule" "report" {
  name                = "mangum-worker-report"
  schedule_expression = "cron(0 6 * * ? *)"
}

resource "aws_cloudwatch_event_target" "report" {
  rule = aws_cloudwatch_event_rule.report.name
  arn  = module.function.arn
}

resource "aws_lambda_permission" "report" {
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.report.arn
}

output "queue" {
  value = aws_sqs_queue.orders.url
}
