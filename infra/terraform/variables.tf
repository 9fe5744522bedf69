variable "bucket" {
  description = "Name of the bucket: DVC's remote, MLflow's artifacts, reports, Dagster's logs and resumable checkpoints."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits, dots and dashes."
  }
}

variable "writer_role_arns" {
  description = "IAM roles of the pods that run stages, MLflow and DVC; they read and write."
  type        = list(string)
}

variable "reader_role_arns" {
  description = "IAM roles that only read, for instance of people who `dvc pull`."
  type        = list(string)
  default     = []
}

variable "days_of_old_versions" {
  description = "How long an overwritten or deleted object can be brought back."
  type        = number
  default     = 30
}

variable "days_of_resumable_checkpoints" {
  description = "How long the checkpoints of unfinished trainings are kept under training/."
  type        = number
  default     = 14
}

variable "days_of_logs" {
  description = "How long the output of Dagster's runs is kept under dagster-logs/."
  type        = number
  default     = 90
}
