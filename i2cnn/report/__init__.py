"""From a run's predictions to scores, tables, plots and a page."""
