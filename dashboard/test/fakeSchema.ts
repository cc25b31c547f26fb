/** A copy of what `GET /api/config/schema` answers, for looking at the form. */

const SCHEMAS: Readonly<Record<string, unknown>> = {
  centralized: {
    additionalProperties: false,
    description: "How a network is trained on one machine (and, within a round, at each hospital).",
    properties: {
      epochs: {
        default: 24,
        description: "How often the training images are seen.",
        maximum: 100000,
        minimum: 1,
        title: "Epochs",
        type: "integer",
      },
      batch_size: {
        default: 64,
        description: "Images in one step of the optimiser.",
        maximum: 65536,
        minimum: 1,
        title: "Batch Size",
        type: "integer",
      },
      learning_rate: {
        default: 0.003,
        description: "Greatest learning rate; it rises to it and falls again (one cycle, AdamW).",
        exclusiveMinimum: 0,
        maximum: 10,
        title: "Learning Rate",
        type: "number",
      },
      weight_decay: {
        default: 0.05,
        description: "AdamW's weight decay, on matrices and filters only.",
        maximum: 10,
        minimum: 0,
        title: "Weight Decay",
        type: "number",
      },
      label_smoothing: {
        default: 0.05,
        description: "0.05 trains towards 0.025 and 0.975 instead of 0 and 1; 0 switches it off.",
        exclusiveMaximum: 1,
        minimum: 0,
        title: "Label Smoothing",
        type: "number",
      },
      class_weights: {
        default: true,
        description:
          "Weigh each class by the inverse of its frequency, so that the rarer one counts as much.",
        title: "Class Weights",
        type: "boolean",
      },
      image_size: {
        default: 28,
        description: "Side in pixels to which every image is brought.",
        maximum: 1024,
        minimum: 8,
        title: "Image Size",
        type: "integer",
      },
      model: {
        default: "small_resnet",
        description:
          "The network: small_resnet, or the name of any MONAI or torch classifier, as monai.networks.nets.DenseNet121.",
        maxLength: 200,
        minLength: 1,
        title: "Model",
        type: "string",
      },
      model_args: {
        additionalProperties: {
          anyOf: [
            {
              type: "string",
            },
            {
              type: "integer",
            },
            {
              type: "number",
            },
            {
              type: "boolean",
            },
            {
              items: {
                anyOf: [
                  {
                    type: "string",
                  },
                  {
                    type: "integer",
                  },
                  {
                    type: "number",
                  },
                  {
                    type: "boolean",
                  },
                  {
                    type: "null",
                  },
                ],
              },
              type: "array",
            },
            {
              type: "null",
            },
          ],
        },
        default: {},
        description: "Keyword arguments for that network.",
        title: "Model Args",
        type: "object",
      },
      augment: {
        default: true,
        description: "Small random rotations, shifts, zooms, contrast, brightness and noise in training.",
        title: "Augment",
        type: "boolean",
      },
      ema: {
        default: true,
        description:
          "Use a running average of the weights for validation and as the result (smoother, better).",
        title: "Ema",
        type: "boolean",
      },
      test_time_augmentation: {
        default: true,
        description: "Average over seven slightly moved views in the final test.",
        title: "Test Time Augmentation",
        type: "boolean",
      },
      drop_duplicates: {
        default: true,
        description: "Leave out training images that occur twice, or again in validation or test.",
        title: "Drop Duplicates",
        type: "boolean",
      },
      threshold: {
        default: 0.5,
        description: "From this probability on an image is called pneumonia.",
        maximum: 1,
        minimum: 0,
        title: "Threshold",
        type: "number",
      },
      early_stopping_patience: {
        anyOf: [
          {
            maximum: 100000,
            minimum: 1,
            type: "integer",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description: "Stop after so many epochs without a better validation loss; null: never.",
        title: "Early Stopping Patience",
      },
      seed: {
        default: 0,
        description: "The same seed gives the same run.",
        maximum: 4294967295,
        minimum: 0,
        title: "Seed",
        type: "integer",
      },
      device: {
        default: "auto",
        description: "auto (a GPU where there is one), cpu, cuda, cuda:1, mps.",
        pattern: "^(auto|cpu|mps|cuda(:\\d{1,3})?)$",
        title: "Device",
        type: "string",
      },
      num_workers: {
        default: 0,
        description: "Processes that load images; 0: the training process itself.",
        maximum: 256,
        minimum: 0,
        title: "Num Workers",
        type: "integer",
      },
      threads: {
        anyOf: [
          {
            maximum: 1024,
            minimum: 1,
            type: "integer",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description:
          "CPU threads torch may use; null: half the cores, at most four (waiting threads cost more than they bring).",
        title: "Threads",
      },
    },
    title: "TrainingConfig",
    type: "object",
  },
  federated: {
    additionalProperties: false,
    description:
      "How hospitals train together. Within a round each trains by the keys of a centralised run (but for `epochs`).",
    properties: {
      epochs: {
        default: 24,
        description: "How often the training images are seen.",
        maximum: 100000,
        minimum: 1,
        title: "Epochs",
        type: "integer",
      },
      batch_size: {
        default: 64,
        description: "Images in one step of the optimiser.",
        maximum: 65536,
        minimum: 1,
        title: "Batch Size",
        type: "integer",
      },
      learning_rate: {
        default: 0.003,
        description: "Greatest learning rate; it rises to it and falls again (one cycle, AdamW).",
        exclusiveMinimum: 0,
        maximum: 10,
        title: "Learning Rate",
        type: "number",
      },
      weight_decay: {
        default: 0.05,
        description: "AdamW's weight decay, on matrices and filters only.",
        maximum: 10,
        minimum: 0,
        title: "Weight Decay",
        type: "number",
      },
      label_smoothing: {
        default: 0.05,
        description: "0.05 trains towards 0.025 and 0.975 instead of 0 and 1; 0 switches it off.",
        exclusiveMaximum: 1,
        minimum: 0,
        title: "Label Smoothing",
        type: "number",
      },
      class_weights: {
        default: true,
        description:
          "Weigh each class by the inverse of its frequency, so that the rarer one counts as much.",
        title: "Class Weights",
        type: "boolean",
      },
      image_size: {
        default: 28,
        description: "Side in pixels to which every image is brought.",
        maximum: 1024,
        minimum: 8,
        title: "Image Size",
        type: "integer",
      },
      model: {
        default: "small_resnet",
        description:
          "The network: small_resnet, or the name of any MONAI or torch classifier, as monai.networks.nets.DenseNet121.",
        maxLength: 200,
        minLength: 1,
        title: "Model",
        type: "string",
      },
      model_args: {
        additionalProperties: {
          anyOf: [
            {
              type: "string",
            },
            {
              type: "integer",
            },
            {
              type: "number",
            },
            {
              type: "boolean",
            },
            {
              items: {
                anyOf: [
                  {
                    type: "string",
                  },
                  {
                    type: "integer",
                  },
                  {
                    type: "number",
                  },
                  {
                    type: "boolean",
                  },
                  {
                    type: "null",
                  },
                ],
              },
              type: "array",
            },
            {
              type: "null",
            },
          ],
        },
        default: {},
        description: "Keyword arguments for that network.",
        title: "Model Args",
        type: "object",
      },
      augment: {
        default: true,
        description: "Small random rotations, shifts, zooms, contrast, brightness and noise in training.",
        title: "Augment",
        type: "boolean",
      },
      ema: {
        default: true,
        description:
          "Use a running average of the weights for validation and as the result (smoother, better).",
        title: "Ema",
        type: "boolean",
      },
      test_time_augmentation: {
        default: true,
        description: "Average over seven slightly moved views in the final test.",
        title: "Test Time Augmentation",
        type: "boolean",
      },
      drop_duplicates: {
        default: true,
        description: "Leave out training images that occur twice, or again in validation or test.",
        title: "Drop Duplicates",
        type: "boolean",
      },
      threshold: {
        default: 0.5,
        description: "From this probability on an image is called pneumonia.",
        maximum: 1,
        minimum: 0,
        title: "Threshold",
        type: "number",
      },
      early_stopping_patience: {
        anyOf: [
          {
            maximum: 100000,
            minimum: 1,
            type: "integer",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description: "Stop after so many epochs without a better validation loss; null: never.",
        title: "Early Stopping Patience",
      },
      seed: {
        default: 0,
        description: "The same seed gives the same run.",
        maximum: 4294967295,
        minimum: 0,
        title: "Seed",
        type: "integer",
      },
      device: {
        default: "auto",
        description: "auto (a GPU where there is one), cpu, cuda, cuda:1, mps.",
        pattern: "^(auto|cpu|mps|cuda(:\\d{1,3})?)$",
        title: "Device",
        type: "string",
      },
      num_workers: {
        default: 0,
        description: "Processes that load images; 0: the training process itself.",
        maximum: 256,
        minimum: 0,
        title: "Num Workers",
        type: "integer",
      },
      threads: {
        anyOf: [
          {
            maximum: 1024,
            minimum: 1,
            type: "integer",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description:
          "CPU threads torch may use; null: half the cores, at most four (waiting threads cost more than they bring).",
        title: "Threads",
      },
      num_clients: {
        default: 3,
        description: "Hospitals that take part.",
        maximum: 10000,
        minimum: 1,
        title: "Num Clients",
        type: "integer",
      },
      num_rounds: {
        default: 3,
        description: "How often the hospitals' weights are put together.",
        maximum: 100000,
        minimum: 1,
        title: "Num Rounds",
        type: "integer",
      },
      local_epochs: {
        default: 1,
        description: "Epochs each hospital trains within one round.",
        maximum: 10000,
        minimum: 1,
        title: "Local Epochs",
        type: "integer",
      },
      partition: {
        default: "iid",
        description:
          "How training images are dealt out: iid (evenly), dirichlet (classes unevenly), patient (no patient at two hospitals).",
        enum: ["iid", "dirichlet", "patient"],
        title: "Partition",
        type: "string",
      },
      alpha: {
        default: 0.5,
        description: "For dirichlet: the smaller, the more the hospitals differ.",
        exclusiveMinimum: 0,
        maximum: 1000000,
        title: "Alpha",
        type: "number",
      },
      fraction_train: {
        default: 1.0,
        description: "Share of the hospitals that train in each round.",
        exclusiveMinimum: 0,
        maximum: 1,
        title: "Fraction Train",
        type: "number",
      },
      engine: {
        default: "local",
        description:
          "local (in the training process, no Ray), ray (Flower's simulation) or superlink (hospitals on machines of their own, with images of their own).",
        enum: ["local", "ray", "superlink"],
        title: "Engine",
        type: "string",
      },
      strategy: {
        default: "fedavg",
        description:
          "How the hospitals' weights are put together: fedavg (their mean), fedprox (each is held to the global model), fedadam and fedyogi (the server has an optimiser of its own), fedmedian and krum (a few wrong hospitals do no harm).",
        enum: ["fedavg", "fedprox", "fedadam", "fedyogi", "fedmedian", "krum"],
        title: "Strategy",
        type: "string",
      },
      proximal_mu: {
        default: 0.01,
        description: "For fedprox: how strongly a hospital is held to the global model.",
        maximum: 1000,
        minimum: 0,
        title: "Proximal Mu",
        type: "number",
        "x-for": {
          strategy: ["fedprox"],
        },
      },
      server_learning_rate: {
        default: 0.01,
        description: "For fedadam and fedyogi: the server's learning rate.",
        exclusiveMinimum: 0,
        maximum: 10,
        title: "Server Learning Rate",
        type: "number",
        "x-for": {
          strategy: ["fedadam", "fedyogi"],
        },
      },
      server_beta_1: {
        default: 0.9,
        description: "For fedadam and fedyogi: how much of its last step the server keeps.",
        exclusiveMaximum: 1,
        minimum: 0,
        title: "Server Beta 1",
        type: "number",
        "x-for": {
          strategy: ["fedadam", "fedyogi"],
        },
      },
      server_beta_2: {
        default: 0.99,
        description: "For fedadam and fedyogi: how slowly its sense of each weight's scale changes.",
        exclusiveMaximum: 1,
        minimum: 0,
        title: "Server Beta 2",
        type: "number",
        "x-for": {
          strategy: ["fedadam", "fedyogi"],
        },
      },
      server_tau: {
        default: 0.001,
        description: "For fedadam and fedyogi: the greater, the less weights are treated differently.",
        exclusiveMinimum: 0,
        maximum: 1,
        title: "Server Tau",
        type: "number",
        "x-for": {
          strategy: ["fedadam", "fedyogi"],
        },
      },
      malicious_clients: {
        default: 0,
        description:
          "For krum: against how many wrong hospitals to hold; f of them need 2f + 3 in each round.",
        maximum: 10000,
        minimum: 0,
        title: "Malicious Clients",
        type: "integer",
        "x-for": {
          strategy: ["krum"],
        },
      },
      privacy: {
        default: "none",
        description:
          "Differential privacy, as Flower has it: updates are clipped on the server or at the client, at a fixed norm or one that adapts, and the server adds noise. With fedavg and fedprox.",
        enum: ["none", "server_fixed", "server_adaptive", "client_fixed", "client_adaptive"],
        title: "Privacy",
        type: "string",
      },
      noise_multiplier: {
        default: 1.0,
        description:
          "For privacy: the noise's deviation, in clipping norms; 1 or more for a promise worth having.",
        maximum: 1000,
        minimum: 0,
        title: "Noise Multiplier",
        type: "number",
        "x-for": {
          privacy: ["server_fixed", "client_fixed", "server_adaptive", "client_adaptive"],
        },
      },
      clipping_norm: {
        default: 1.0,
        description:
          "For privacy: how far one hospital may move the weights in a round; where adaptive, at first.",
        exclusiveMinimum: 0,
        maximum: 1000000.0,
        title: "Clipping Norm",
        type: "number",
        "x-for": {
          privacy: ["server_fixed", "client_fixed", "server_adaptive", "client_adaptive"],
        },
      },
      delta: {
        default: 1e-5,
        description:
          "For privacy: the chance that epsilon's promise does not hold; less than one in the hospitals.",
        exclusiveMaximum: 1,
        exclusiveMinimum: 0,
        title: "Delta",
        type: "number",
        "x-for": {
          privacy: ["server_fixed", "client_fixed", "server_adaptive", "client_adaptive"],
        },
      },
      max_epsilon: {
        anyOf: [
          {
            exclusiveMinimum: 0,
            maximum: 1000000.0,
            type: "number",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description: "For fixed clipping: the run ends before it has spent more than this; null: no limit.",
        title: "Max Epsilon",
        "x-for": {
          privacy: ["server_fixed", "client_fixed"],
        },
      },
      clipped_quantile: {
        default: 0.5,
        description: "For adaptive clipping: the share of the updates that shall be below the norm.",
        maximum: 1,
        minimum: 0,
        title: "Clipped Quantile",
        type: "number",
        "x-for": {
          privacy: ["server_adaptive", "client_adaptive"],
        },
      },
      clipping_learning_rate: {
        default: 0.2,
        description: "For adaptive clipping: how fast the norm adapts.",
        exclusiveMinimum: 0,
        maximum: 10,
        title: "Clipping Learning Rate",
        type: "number",
        "x-for": {
          privacy: ["server_adaptive", "client_adaptive"],
        },
      },
      clipped_count_stddev: {
        anyOf: [
          {
            exclusiveMinimum: 0,
            maximum: 1000000.0,
            type: "number",
          },
          {
            type: "null",
          },
        ],
        default: null,
        description:
          "For adaptive clipping: the noise on how many were clipped, more than half the noise multiplier; null: a twentieth of a round's hospitals, and at least the noise multiplier.",
        title: "Clipped Count Stddev",
        "x-for": {
          privacy: ["server_adaptive", "client_adaptive"],
        },
      },
    },
    title: "FederatedConfig",
    type: "object",
  },
};

export function schemaOf(kind: string): unknown {
  return SCHEMAS[kind] ?? SCHEMAS.centralized;
}
