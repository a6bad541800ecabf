"""Writes tests/data/pytorch_lstm.safetensors: an LSTM with its head as PyTorch computes it.

Run: pip install torch safetensors numpy; python models/dev/golden.py models/tests/data/pytorch_lstm.safetensors
Made with torch 2.15.0.
"""
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import softplus

INPUTS, STEPS, HIDDEN, QUANTILES, ROWS = 13, 60, 32, 5, 5


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(INPUTS, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, QUANTILES)

    def forward(self, windows):
        raw = self.head(self.lstm(windows)[0][:, -1])
        # The middle number is the middle quantile; distances add up outwards.
        middle = QUANTILES // 2
        columns = {middle: raw[:, middle]}
        for at in range(middle + 1, QUANTILES):
            columns[at] = columns[at - 1] + softplus(raw[:, at])
        for at in reversed(range(middle)):
            columns[at] = columns[at + 1] - softplus(raw[:, at])
        return torch.stack([columns[at] for at in range(QUANTILES)], dim=1)


torch.manual_seed(20260101)
network = Network().eval()
with torch.no_grad():
    for parameter in network.parameters():
        parameter.mul_(2.0)  # farther from the linear middle of the gates
    windows = 1.5 * torch.randn(ROWS, STEPS, INPUTS)
    golden = {name: value.clone().contiguous() for name, value in network.state_dict().items()}
    golden |= {"windows": windows, "quantiles": network(windows).contiguous()}
save_file(golden, sys.argv[1])
