output "arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn

  # Whoever takes the role may do what it is for, from the first call on and, on destroy, to the last.
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy_attachment.managed]
}

output "name" {
  description = "Name of the role."
  value       = aws_iam_role.this.name
}
