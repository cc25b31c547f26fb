import {
  type CSSVariablesResolver,
  createTheme,
  defaultVariantColorsResolver,
  type MantineColorsTuple,
} from "@mantine/core";

/** Every shade is the token itself, so that no component can pick a colour that tokens.css does not have. */
function token(name: string): MantineColorsTuple {
  const value = `var(--${name})`;
  return [value, value, value, value, value, value, value, value, value, value];
}

/** The colours that have a tint of their own. */
const TINTED: ReadonlySet<string> = new Set(["act", "ok", "warn", "bad"]);

export const theme = createTheme({
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  headings: { fontFamily: "var(--font)", fontWeight: "650" },
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "15px", xl: "20px" },
  lineHeights: { xs: "16px", sm: "18px", md: "20px", lg: "22px", xl: "26px" },
  spacing: { xs: "4px", sm: "8px", md: "12px", lg: "16px", xl: "24px" },
  radius: { xs: "4px", sm: "6px", md: "8px", lg: "11px", xl: "11px" },
  defaultRadius: "sm",
  breakpoints: { xs: "480px", sm: "720px", md: "1100px", lg: "1440px", xl: "1920px" },
  colors: { act: token("act"), ok: token("ok"), warn: token("warn"), bad: token("bad"), ink: token("ink") },
  primaryColor: "act",
  primaryShade: 6,
  autoContrast: false,
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  // What stands on a filled control is the token for it: white in the light theme, nearly black in the dark one.
  variantColorResolver: (input) => {
    const colors = defaultVariantColorsResolver(input);
    if (input.variant === "filled") return { ...colors, color: "var(--onact)" };
    // A token has no paler shade: under the pointer a control without a ground would be covered by its own colour.
    if (input.variant === "subtle") return { ...colors, hover: "var(--surface2)" };
    const name = input.color ?? "act";
    if (input.variant !== "light" || !TINTED.has(name)) return colors;
    return {
      ...colors,
      background: `var(--${name}-tint)`,
      hover: `var(--${name}-tint)`,
      color: `var(--${name})`,
    };
  },
  components: {
    Checkbox: { defaultProps: { iconColor: "var(--onact)" } },
    Button: {
      defaultProps: { size: "sm" },
      vars: () => ({
        root: { "--button-height": "32px", "--button-padding-x": "13px", "--button-fz": "13px" },
      }),
    },
    SegmentedControl: { defaultProps: { withItemsBorders: false } },
    Tooltip: {
      defaultProps: { withArrow: false, openDelay: 200, events: { hover: true, focus: true, touch: true } },
    },
    Modal: { defaultProps: { centered: true, radius: "md", transitionProps: { duration: 0 } } },
    // Without the placeholder the first item has the focus, and a menu holds nothing but its items.
    Menu: {
      defaultProps: {
        withInitialFocusPlaceholder: false,
        position: "bottom-end",
        radius: "sm",
        transitionProps: { duration: 0 },
      },
    },
    Popover: { defaultProps: { transitionProps: { duration: 0 } } },
    Select: { defaultProps: { comboboxProps: { transitionProps: { duration: 0 } } } },
  },
});

const shared = {
  "--mantine-color-body": "var(--bg)",
  "--mantine-color-text": "var(--text)",
  "--mantine-color-dimmed": "var(--text3)",
  "--mantine-color-placeholder": "var(--text3)",
  "--mantine-color-anchor": "var(--act)",
  "--mantine-color-error": "var(--bad)",
  "--mantine-color-default": "var(--surface)",
  "--mantine-color-default-hover": "var(--surface2)",
  "--mantine-color-default-color": "var(--text)",
  "--mantine-color-default-border": "var(--line2)",
  "--mantine-color-disabled": "var(--surface2)",
  "--mantine-color-disabled-color": "var(--text3)",
  "--mantine-color-disabled-border": "var(--line)",
  "--mantine-primary-color-contrast": "var(--onact)",
  "--mantine-primary-color-filled": "var(--act)",
  "--mantine-primary-color-filled-hover": "var(--act)",
  "--mantine-primary-color-light": "var(--act-tint)",
  "--mantine-primary-color-light-hover": "var(--act-tint)",
  "--mantine-primary-color-light-color": "var(--act)",
  "--mantine-shadow-xs": "none",
  "--mantine-shadow-sm": "none",
  "--mantine-shadow-md": "var(--shadow)",
  "--mantine-shadow-lg": "var(--shadow)",
  "--mantine-shadow-xl": "var(--shadow)",
};

/** Mantine's own variables, each pointing at a token; both themes are then the tokens' own. */
export const variables: CSSVariablesResolver = () => ({ variables: shared, light: shared, dark: shared });
