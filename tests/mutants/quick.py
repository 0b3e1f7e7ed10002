"""A plugin of pytest for the hunt: whoever is caught need not be shown in the smallest way."""

from hypothesis import Phase, settings

settings.register_profile("hunt", phases=[Phase.explicit, Phase.generate])
settings.load_profile("hunt")
