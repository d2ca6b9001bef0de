#!/bin/sh
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$LAMBDA_TASK_ROOT" Server
