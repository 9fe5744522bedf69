output "dvc_remote" {
  description = "dvc remote modify --local storage url ADDRESS"
  value       = "s3://${aws_s3_bucket.foundry.id}/dvc"
}

output "mlflow_artifacts" {
  description = "mlflow server --artifacts-destination ADDRESS"
  value       = "s3://${aws_s3_bucket.foundry.id}/mlflow"
}

output "bucket_arn" {
  description = "For the policies of the roles themselves."
  value       = aws_s3_bucket.foundry.arn
}
