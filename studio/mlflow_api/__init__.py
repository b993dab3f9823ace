"""The MLflow tracking protocol: unchanged clients log here, on the same actions as all."""
