"""What a run is made of: YAML files and `key=value` arguments -> one checked, frozen Config.

Import the module that you need (`catalog` is quick, `load` imports pydantic); nothing is imported here.
"""
