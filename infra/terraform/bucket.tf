resource "aws_s3_bucket" "foundry" {
  bucket = var.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "foundry" {
  bucket = aws_s3_bucket.foundry.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "foundry" {
  bucket = aws_s3_bucket.foundry.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "foundry" {
  bucket                  = aws_s3_bucket.foundry.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "foundry" {
  bucket = aws_s3_bucket.foundry.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}
