# dvc/ and mlflow/ have no rule that deletes what is current: a hash in dvc.lock, or a model's version, stays readable.
resource "aws_s3_bucket_lifecycle_configuration" "foundry" {
  bucket     = aws_s3_bucket.foundry.id
  depends_on = [aws_s3_bucket_versioning.foundry]

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = var.days_of_old_versions
    }
  }

  rule {
    id     = "data-sets-are-read-seldom"
    status = "Enabled"

    filter {
      prefix = "dvc/"
    }

    transition {
      days          = 60
      storage_class = "STANDARD_IA"
    }
  }

  rule {
    id     = "resumable-checkpoints"
    status = "Enabled"

    filter {
      prefix = "training/"
    }

    expiration {
      days = var.days_of_resumable_checkpoints
    }
  }

  rule {
    id     = "logs"
    status = "Enabled"

    filter {
      prefix = "dagster-logs/"
    }

    expiration {
      days = var.days_of_logs
    }
  }
}
