"""The lab's MLPs as a LightningModule on a LightningDataModule."""
