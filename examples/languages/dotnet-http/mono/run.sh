#!/bin/sh
# For Mono: the machine's own, or that of a layer.
exec mono "$LAMBDA_TASK_ROOT/Server.exe"
