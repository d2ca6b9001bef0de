//! Stacks (CloudFormation and SAM): templates become operations.
