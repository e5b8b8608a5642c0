from nodes.sora.cli import main as main
