from nodes.sora_jobs.cli.main import main as main
