"""What runs in pods: one module a stage with `async def run(ctx: JobContext) -> Artifact`, and the frame around it."""
