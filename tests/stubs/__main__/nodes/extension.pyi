from nodes.extension import SoraExtension as SoraExtension
