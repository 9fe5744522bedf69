data "aws_iam_policy_document" "foundry" {
  statement {
    sid       = "OnlyEncryptedConnections"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.foundry.arn, "${aws_s3_bucket.foundry.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "ListBucket"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.foundry.arn]

    principals {
      type        = "AWS"
      identifiers = concat(var.writer_role_arns, var.reader_role_arns)
    }
  }

  statement {
    sid       = "ReadObjects"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.foundry.arn}/*"]

    principals {
      type        = "AWS"
      identifiers = concat(var.writer_role_arns, var.reader_role_arns)
    }
  }

  statement {
    sid       = "WriteObjects"
    actions   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${aws_s3_bucket.foundry.arn}/*"]

    principals {
      type        = "AWS"
      identifiers = var.writer_role_arns
    }
  }
}

resource "aws_s3_bucket_policy" "foundry" {
  bucket     = aws_s3_bucket.foundry.id
  policy     = data.aws_iam_policy_document.foundry.json
  depends_on = [aws_s3_bucket_public_access_block.foundry]
}
